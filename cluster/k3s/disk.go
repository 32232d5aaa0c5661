package k3s

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// find looks for the k3s program and returns its absolute path.
func find(configured string) (string, error) {
	const remedy = "install K3s (https://docs.k3s.io), name its program (configuration or K3S_BIN), or use the cluster kind embedded"
	for _, place := range []struct{ what, path string }{{"configured", configured}, {"K3S_BIN", os.Getenv("K3S_BIN")}} {
		if place.path == "" {
			continue
		}
		path, err := exec.LookPath(place.path)
		if err != nil {
			return "", fmt.Errorf("k3s program %s (%s): %w: correct the path", place.path, place.what, errors.Unwrap(err))
		}
		return filepath.Abs(path)
	}
	path, err := exec.LookPath("k3s")
	if err != nil {
		return "", fmt.Errorf("there is no k3s program on the PATH: %s", remedy)
	}
	return filepath.Abs(path)
}

// prepare makes dir, private to this user.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of K3s %s: %w: give a folder that this user may write", dir, err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of K3s %s private: %w: give a folder that this user owns", dir, err)
	}
	return nil
}

// tokenFile sees to the file with the token and returns its path. It is empty when K3s has a token of its own making: to
// give it another would lock it out of its own data.
func tokenFile(at layout, configured string) (string, error) {
	if configured != "" && !goodToken(configured) {
		return "", errors.New("the cluster token is unusable: give 16 to 1024 printable characters without spaces")
	}
	path := at.token()
	data, err := os.ReadFile(path)
	switch {
	case err == nil && configured == "" && goodToken(strings.TrimSpace(string(data))):
		return path, keepPrivate(path)
	case err == nil && configured == "":
		return "", fmt.Errorf("the token of K3s in %s is unusable: restore the file from a backup, or give the token in the configuration", path)
	case err == nil && strings.TrimSpace(string(data)) == configured:
		return path, keepPrivate(path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read the token of K3s: %w: make the file readable for this user", err)
	}
	token := configured
	if token == "" {
		if _, err := os.Stat(at.ownToken()); err == nil {
			return "", nil
		}
		random := make([]byte, 32)
		if _, err := rand.Read(random); err != nil {
			return "", fmt.Errorf("make a token for K3s: %w", err)
		}
		token = hex.EncodeToString(random)
	}
	return path, writeToken(path, token)
}

func keepPrivate(path string) error {
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("make the token of K3s private: %w: give the file to this user", err)
	}
	return nil
}

// writeToken replaces the file in one step, so that a crash leaves no half token behind.
func writeToken(path, token string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write the token of K3s: %w: give a folder that this user may write", err)
	}
	_, err = f.WriteString(token + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the token of K3s: %w", err), os.Remove(f.Name()))
	}
	return nil
}
