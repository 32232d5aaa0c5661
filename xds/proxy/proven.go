package proxy

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/entente-mesh/entente/internal/child"
)

// provenName is the file that describes the process whose doors have been proved to be closed.
const provenName = "proven"

// Running is the process id of the newest Envoy of a private folder, or 0 when none runs there.
func Running(dir string) int {
	pid, _ := newest(dir)
	return pid
}

// Proven says whether the newest Envoy of a private folder is the very process of which RememberProof was told, by this program or by one
// that ran before it. Its listeners need not be taken away to prove it again.
func Proven(dir string) bool {
	_, process := newest(dir)
	remembered, err := os.ReadFile(filepath.Join(dir, provenName))
	return err == nil && process != nil && bytes.Equal(process, remembered)
}

// RememberProof notes that the Envoy with this process id has passed Prove. It is an error if that is not the newest one any more: then
// another process has to be proved.
func RememberProof(dir string, pid int) error {
	current, process := newest(dir)
	if process == nil || current != pid {
		return fmt.Errorf("the Envoy that was proved (process %d) has been replaced by process %d", pid, current)
	}
	return replaceFile(filepath.Join(dir, provenName), process)
}

// newest is the newest Envoy that runs, and what describes its process and no other.
func newest(dir string) (pid int, process []byte) {
	all, err := readState(dir)
	if err != nil || len(all) == 0 {
		return 0, nil
	}
	file := all[len(all)-1].pidFile(dir)

	process, err = os.ReadFile(file)
	if err != nil {
		return 0, nil
	}
	pid, err = child.Alive(file)
	again, readErr := os.ReadFile(file)
	if err != nil || readErr != nil || pid == 0 || !bytes.Equal(process, again) {
		return 0, nil
	}
	return pid, process
}
