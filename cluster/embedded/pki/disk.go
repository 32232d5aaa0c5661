package pki

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile bounds what is read: the largest file here has about 2 KB.
const maxFile = 64 << 10

// temporary marks files that a crash may leave behind; they are removed at the next Open.
const temporary = ".new-"

// prepareFolder makes dir, private to this user, and sweeps what a crash left.
func prepareFolder(dir string, log *slog.Logger) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the certificate folder %s: %w: give a folder that this user may write", dir, err)
	}
	if err := tighten(dir, 0o700, log); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(dir, temporary+"*"))
	if err != nil {
		return fmt.Errorf("look into the certificate folder %s: %w", dir, err)
	}
	for _, f := range left {
		if err := os.Remove(f); err != nil {
			return fmt.Errorf("remove the left-over file %s: %w: remove it by hand", f, err)
		}
	}
	return nil
}

// tighten takes away the rights of others on path. They are repaired, not refused: a restored backup often has wider
// modes, and a private key that others could read is the user's to judge, so the log says it.
func tighten(path string, mode fs.FileMode, log *slog.Logger) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	if info.Mode()&fs.ModeSymlink != 0 || (!info.IsDir() && !info.Mode().IsRegular()) {
		return fmt.Errorf("%s is not a plain file or folder: replace the link or device by the real thing", path)
	}
	if info.Mode().Perm()&^mode == 0 {
		return nil
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("%s may be read by others (mode %04o): %w: chown it to this user and chmod it to %04o", path, info.Mode().Perm(), err, mode)
	}
	log.Warn("file could be read by others; its mode is repaired", "file", path, "was", fmt.Sprintf("%04o", info.Mode().Perm()), "now", fmt.Sprintf("%04o", mode))
	return nil
}

// read returns the content of a private file, nil when there is none.
func read(path string, log *slog.Logger) ([]byte, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err := tighten(path, 0o600, log); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: make it readable for this user", path, err)
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("read %s: larger than %d bytes, so it is no key or certificate: restore it from a backup", path, maxFile)
	}
	return data, nil
}

func readKey(path string, log *slog.Logger) (key signer, found bool, err error) {
	data, err := read(path, log)
	if err != nil || data == nil {
		return nil, false, err
	}
	if key, err = parseKey(data); err != nil {
		return nil, false, fmt.Errorf("read the key %s: %w: restore it from a backup, or remove it together with its .crt file (if it has one) to have new ones made", path, err)
	}
	return key, true, nil
}

func readCertificate(path string, log *slog.Logger) (*x509.Certificate, error) {
	data, err := read(path, log)
	if err != nil || data == nil {
		return nil, err
	}
	cert, err := parseCertificate(data)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s: %w: restore it from a backup, or remove it to have it made again from its key", path, err)
	}
	return cert, nil
}

// readPair loads a certificate with its key, nil when there is none.
func readPair(dir, name string, log *slog.Logger) (*pair, error) {
	path := leafFile(dir, name)
	data, err := read(path, log)
	if err != nil || data == nil {
		return nil, err
	}
	p, err := parsePair(data)
	if err != nil {
		return nil, fmt.Errorf("read the certificate and key %s: %w: remove the file, and it is made anew", path, err)
	}
	return p, nil
}

func parseCertificate(data []byte) (*x509.Certificate, error) {
	block := find(data, "CERTIFICATE")
	if block == nil {
		return nil, errors.New("it holds no PEM certificate")
	}
	return x509.ParseCertificate(block)
}

func parseKey(data []byte) (signer, error) {
	block := find(data, "PRIVATE KEY")
	if block == nil {
		return nil, errors.New("it holds no PEM private key (PKCS #8)")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it holds a %s, not an ECDSA key", strings.TrimPrefix(fmt.Sprintf("%T", parsed), "*"))
	}
	return key, nil
}

// parsePair reads a combined file and makes sure that the two belong together.
func parsePair(data []byte) (*pair, error) {
	if _, err := tls.X509KeyPair(data, data); err != nil {
		return nil, err
	}
	cert, err := parseCertificate(data)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(data)
	if err != nil {
		return nil, err
	}
	keyPEM, err := pemKey(key)
	return &pair{cert: cert, keyPEM: keyPEM}, err
}

// find returns the bytes of the first PEM block of a type.
func find(data []byte, kind string) []byte {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return nil
		}
		if block.Type == kind {
			return block.Bytes
		}
		data = rest
	}
}

func writeKey(path string, key signer) error {
	data, err := pemKey(key)
	if err != nil {
		return err
	}
	return writeFile(path, data)
}

// writeSigner writes a key with its public half beside it: Kubernetes' readers of public keys derive it from no PKCS #8 key.
func writeSigner(path string, key signer) error {
	private, err := pemKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encode the public half of %s: %w", path, err)
	}
	return writeFile(path, slices.Concat(private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
}

func writePair(dir, name string, p *pair) error {
	return writeFile(leafFile(dir, name), slices.Concat(pemCertificate(p.cert), p.keyPEM))
}

// writeFile replaces path in one step with a private file whose bytes are on the disk before its name is.
func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), temporary+"*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w: make its folder writable for this user", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the next Open sweeps it
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w: check the free space of its disk", path, err)
	}
	return nil
}

// syncFolder makes the renames of this Open survive a power loss.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer d.Close() //nolint:errcheck // only synced
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
