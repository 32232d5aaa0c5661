package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
)

// The file of a [Vault]: magic, salt, then AES-256-GCM over the entries, with everything before it as additional data. Key and nonce
// are HKDF-SHA256 of the domain's private exponent with the salt, which is new in each file: so no nonce repeats under a key, and only
// who holds the private key can write what will be believed. (A key sealed under the public key would let any partner who can write the
// file plant tokens.) An entry is SHA-256 of a sealed text and the token inside; entries are sorted.
const (
	vaultMagic   = "entente vault 1\n"
	vaultContext = "entente/vault/v1"
	saltSize     = 32
	entrySize    = sha256.Size + len(Token{})
	headerSize   = len(vaultMagic) + saltSize
	gcmOverhead  = 16
	maxEntries   = 1 << 17
)

// MaxVaultSize is the most bytes that a vault's file has; more need not be read.
const MaxVaultSize = headerSize + maxEntries*entrySize + gcmOverhead

// ErrVault is why a vault's file is not used: it is damaged, of another domain key, or of another version. Nothing is lost with it: start
// a new vault, and the tokens are opened one by one again.
var ErrVault = errors.New("the file of opened tokens cannot be used; it is made anew")

// A Vault remembers opened tokens across restarts, since opening one costs a private-key operation and a gateway may have thousands. It is a
// memo and never a source of truth: an old or foreign file can at most be useless. One goroutine owns it.
type Vault struct {
	key    *rsa.PrivateKey
	tokens map[digest]Token
}

// digest names a sealed text without being one.
type digest [sha256.Size]byte

// NewVault returns an empty vault of the domain with this key.
func NewVault(key *rsa.PrivateKey) *Vault {
	return &Vault{key: key, tokens: map[digest]Token{}}
}

// OpenVault reads what [Vault.Encode] wrote under the same key; any other bytes are an [ErrVault].
func OpenVault(key *rsa.PrivateKey, file []byte) (*Vault, error) {
	if len(file) > MaxVaultSize {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrVault, len(file), MaxVaultSize)
	}
	if !bytes.HasPrefix(file, []byte(vaultMagic)) || len(file) < headerSize+gcmOverhead {
		return nil, fmt.Errorf("%w: it does not begin as version 1 does", ErrVault)
	}
	header, sealed := file[:headerSize], file[headerSize:]
	aead, nonce, err := vaultCipher(key, header[len(vaultMagic):])
	if err != nil {
		return nil, err
	}
	entries, err := aead.Open(nil, nonce, sealed, header)
	if err != nil || len(entries)%entrySize != 0 {
		return nil, fmt.Errorf("%w: it was written under another domain key, or changed since", ErrVault)
	}
	v := NewVault(key)
	for e := range slices.Chunk(entries, entrySize) {
		v.tokens[digest(e[:sha256.Size])] = Token(e[sha256.Size:])
	}
	return v, nil
}

// Get returns the token inside a sealed text, if the vault has seen it opened.
func (v *Vault) Get(sealed string) (Token, bool) {
	t, ok := v.tokens[sha256.Sum256([]byte(sealed))]
	return t, ok
}

// Put remembers the token inside a sealed text. A full vault, of 131,072 tokens, remembers no more: the rest is opened at each start.
func (v *Vault) Put(sealed string, token Token) {
	if len(v.tokens) < maxEntries {
		v.tokens[sha256.Sum256([]byte(sealed))] = token
	}
}

// Keep forgets every token whose sealed text is not among those in use, and returns how many it forgot.
func (v *Vault) Keep(inUse iter.Seq[string]) (forgotten int) {
	used := map[digest]bool{}
	for sealed := range inUse {
		used[sha256.Sum256([]byte(sealed))] = true
	}
	before := len(v.tokens)
	maps.DeleteFunc(v.tokens, func(d digest, _ Token) bool { return !used[d] })
	return before - len(v.tokens)
}

// Len is the number of tokens that the vault remembers.
func (v *Vault) Len() int { return len(v.tokens) }

// Encode returns the vault as bytes for a file that only the owner can read. Each call draws a new salt from rand, so the bytes differ each
// time.
func (v *Vault) Encode(rand io.Reader) ([]byte, error) {
	file := make([]byte, headerSize, headerSize+len(v.tokens)*entrySize+gcmOverhead)
	copy(file, vaultMagic)
	if _, err := io.ReadFull(rand, file[len(vaultMagic):]); err != nil {
		return nil, fmt.Errorf("draw the salt of the opened tokens: %w", err)
	}
	aead, nonce, err := vaultCipher(v.key, file[len(vaultMagic):])
	if err != nil {
		return nil, err
	}
	entries := make([]byte, 0, len(v.tokens)*entrySize)
	for _, d := range slices.SortedFunc(maps.Keys(v.tokens), func(a, b digest) int { return bytes.Compare(a[:], b[:]) }) {
		t := v.tokens[d]
		entries = append(append(entries, d[:]...), t[:]...)
	}
	return aead.Seal(file, nonce, entries, file), nil
}

// vaultCipher is the cipher and its nonce for one salt, which is never used twice.
func vaultCipher(key *rsa.PrivateKey, salt []byte) (cipher.AEAD, []byte, error) {
	const keySize, nonceSize = 32, 12
	secret := key.D.FillBytes(make([]byte, key.Size()))
	derived, err := hkdf.Key(sha256.New, secret, salt, vaultContext, keySize+nonceSize)
	if err != nil {
		return nil, nil, fmt.Errorf("derive the key of the opened tokens: %w", err)
	}
	block, err := aes.NewCipher(derived[:keySize])
	if err != nil {
		return nil, nil, fmt.Errorf("make the cipher of the opened tokens: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, fmt.Errorf("make the cipher of the opened tokens: %w", err)
	}
	return aead, derived[keySize:], nil
}
