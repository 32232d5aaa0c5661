package proxy

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// validateTimeout bounds Envoy's check of a bootstrap, which needs 70 ms.
const validateTimeout = 30 * time.Second

// validate lets Envoy itself check the bootstrap, without starting anything. Before a hot restart this is worth its time: a new process that
// fails takes the admin interface away from the old one.
func (c Config) validate(ctx context.Context) error {
	file := filepath.Join(c.Dir, "validate.json")
	if err := replaceFile(file, c.Bootstrap); err != nil {
		return fmt.Errorf("check of the bootstrap: %w", err)
	}
	defer func() { _ = os.Remove(file) }() // the next check replaces it
	ctx, cancel := context.WithTimeout(ctx, validateTimeout)
	defer cancel()
	var words bytes.Buffer
	cmd := exec.CommandContext(ctx, c.Binary.Path, "--mode", "validate", "--disable-hot-restart", "-c", file, "--log-level", "error")
	cmd.Dir, cmd.Env = c.Dir, []string{}
	cmd.Stderr = &bounded{to: &words, left: maxAnswer}
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("check of the bootstrap by %s: %w: %s", c.Binary, err, quoteUpTo(strings.TrimSpace(words.String()), 4000))
	}
	return nil
}
