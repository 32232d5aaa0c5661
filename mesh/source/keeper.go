package source

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"github.com/entente-mesh/entente/auth/seal"
	"github.com/entente-mesh/entente/mesh"
)

// A Keeper is an Opener with the domain's key that remembers what it has opened, in memory and in a file: a gateway with thousands of routes
// would else need seconds of RSA after each start, and its partners would wait.
type Keeper struct {
	key  *rsa.PrivateKey
	path string

	mu sync.Mutex
	// Guarded by mu.
	vault *seal.Vault
	dirty bool // the vault has what the file has not
}

// NewKeeper reads the file at path, which only its owner can read, or begins with nothing when there is none; an empty path keeps tokens in
// memory alone. A file that cannot be used is an error that wraps seal.ErrVault or a *fs.PathError; the Keeper works all the same, and writes
// the file anew.
func NewKeeper(key *rsa.PrivateKey, path string) (*Keeper, error) {
	k := &Keeper{key: key, path: path, vault: seal.NewVault(key)}
	if path == "" {
		return k, nil
	}
	data, err := readBounded(path, seal.MaxVaultSize)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		var vault *seal.Vault
		if vault, err = seal.OpenVault(key, data); err == nil {
			k.vault = vault
			return k, nil
		}
	}
	return k, fmt.Errorf("read the opened tokens in %s: %w", path, err)
}

func readBounded(path string, most int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(most)+1)) // one more, so that too long a file is seen
}

// Known returns a token that was opened before.
func (k *Keeper) Known(sealed string) (mesh.Opened, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t, ok := k.vault.Get(sealed)
	if !ok {
		return mesh.Opened{}, false
	}
	return mesh.Opened{Token: mesh.Hide(t.Header())}, true
}

// Open opens a token with the domain's key, and remembers it. Faults are not remembered: the key may be another one after the next start.
func (k *Keeper) Open(sealed string) mesh.Opened {
	if o, ok := k.Known(sealed); ok {
		return o
	}
	t, err := seal.OpenToken(k.key, sealed)
	if err != nil {
		return mesh.Opened{Fault: "it cannot be opened with this domain's key"}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.vault.Put(sealed, t)
	k.dirty = true
	return mesh.Opened{Token: mesh.Hide(t.Header())}
}

// Save writes the tokens in use to the file, whole or not at all.
func (k *Keeper) Save(inUse iter.Seq[string]) error {
	data, err := k.encode(inUse)
	if err != nil || data == nil {
		return err
	}
	if err := replace(k.path, data); err != nil {
		k.mu.Lock()
		k.dirty = true
		k.mu.Unlock()
		return fmt.Errorf("write the opened tokens: %w", err)
	}
	return nil
}

// encode is the new file; nil when the old one will do.
func (k *Keeper) encode(inUse iter.Seq[string]) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if forgotten := k.vault.Keep(inUse); forgotten == 0 && !k.dirty || k.path == "" {
		return nil, nil
	}
	k.dirty = false
	return k.vault.Encode(rand.Reader)
}

// replace puts a file, which only its owner can read, in the place of another. It is not synced to the disk: a file that a power cut has
// damaged is seen to be damaged, and nothing is lost with it.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what failed is told; the rest of it is only in the way
	}
	return err
}
