package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// detaching starts the program in a session of its own and ends at once, so that the program belongs to process 1 (or the nearest subreaper)
// before it runs its first instruction. It is told by a line on file 4 that somebody watches over it, and goes away when that line does not
// come; on file 3 it says its number.
//
// $0 is setsid, the rest the program with its arguments.
const detaching = `"$0" /bin/sh -c 'echo $$ >&3; exec 3>&-; read go <&4 && exec "$@" 4<&-' sh "$@" &`

// A detacher is what it takes to start a program so that it belongs to nobody.
type detacher struct{ shell, setsid string }

// newDetacher finds the system's programs. The error says what is missing.
func newDetacher() (detacher, error) {
	shell, err := exec.LookPath("/bin/sh")
	if err != nil {
		return detacher{}, err
	}
	for _, usual := range []string{"/usr/bin/setsid", "/bin/setsid", "setsid"} { // PATH may be empty
		var setsid string
		if setsid, err = exec.LookPath(usual); err == nil {
			return detacher{shell, setsid}, nil
		}
	}
	return detacher{}, err
}

// start starts the command and watches over its process, which is not our child. The caller releases it.
func (d detacher) start(cmd *exec.Cmd) (p *process, err error) {
	number, says, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer number.Close()
	waits, tell, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, says.Close())
	}
	defer tell.Close() // whoever was not told goes away

	sh := exec.Command(d.shell, append([]string{"-c", detaching, d.setsid, cmd.Path}, cmd.Args[1:]...)...)
	sh.Dir, sh.Env, sh.Stdout, sh.Stderr = cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr
	sh.ExtraFiles = []*os.File{says, waits}
	sh.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = sh.Run()
	if err := errors.Join(err, says.Close(), waits.Close()); err != nil {
		return nil, fmt.Errorf("start it in a session of its own: %w", err)
	}
	line, err := bufio.NewReader(io.LimitReader(number, 32)).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("start it in a session of its own: it did not say its number: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return nil, fmt.Errorf("start it in a session of its own: %w", err)
	}
	if p, err = watch(pid); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(tell, "go\n"); err != nil {
		p.release()
		return nil, fmt.Errorf("start it in a session of its own: %w", err)
	}
	return p, nil
}
