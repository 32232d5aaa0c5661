package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/entente-mesh/entente/auth/issue"
	"github.com/entente-mesh/entente/auth/keys"
)

// An identity is what this node proves its domain with.
type identity struct {
	key       *rsa.PrivateKey
	authority *issue.Authority
	// salt keeps the versions of secret resources from telling their content. It stays the same, so that a restarted node sends its Envoy
	// nothing that it has.
	salt []byte
}

// newIdentity takes the domain key from the configuration, or the node's own, and makes what is missing in the data folder.
func (n *node) newIdentity() (*identity, error) {
	key, err := n.domainKey()
	if err != nil {
		return nil, err
	}
	authority, err := domainAuthority(n.home.certificate(), n.config.DomainID, key)
	if err != nil {
		return nil, err
	}
	salt, err := n.home.salt()
	if err != nil {
		return nil, err
	}
	return &identity{key: key, authority: authority, salt: salt}, nil
}

// salt is what keeps the versions of secret resources from telling their content, made once.
func (h home) salt() ([]byte, error) {
	salt, err := keptSecret(filepath.Join(h.dir, "var", "xds.salt"), func() ([]byte, error) {
		salt := make([]byte, 32)
		_, err := rand.Read(salt)
		return salt, err
	})
	if err != nil {
		return nil, fmt.Errorf("salt of the gateways' configuration: %w", err)
	}
	return salt, nil
}

// domainKey is the domain's private key.
func (n *node) domainKey() (*rsa.PrivateKey, error) {
	if n.config.DomainKeyData != "" {
		key, err := keys.ParsePrivate(n.config.DomainKeyData)
		if err != nil {
			return nil, badKey(n.config, err)
		}
		return key, nil
	}
	file := filepath.Join(n.home.dir, "var", "domain.key")
	text, err := keptSecret(file, func() ([]byte, error) {
		key, err := keys.GeneratePrivate(rand.Reader)
		if err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(keys.EncodePrivate(key))
	})
	if err != nil {
		return nil, fmt.Errorf("the domain's key: %w", err)
	}
	key, err := keys.ParsePrivate(base64.StdEncoding.EncodeToString(text))
	if err != nil {
		return nil, fmt.Errorf("the domain's key in %s: %w", file, err)
	}
	return key, nil
}

// domainAuthority is the domain's certificate authority. Its certificate lies in the data folder for people to hand to partners.
func domainAuthority(file, domain string, key *rsa.PrivateKey) (*issue.Authority, error) {
	text, err := os.ReadFile(file)
	if err == nil {
		authority, err := issue.ParseAuthority(text, key)
		if err == nil && authority.Domain() == domain {
			return authority, nil
		}
		if err == nil {
			err = fmt.Errorf("it belongs to domain %s; remove the file, and a new one is made", authority.Domain())
		}
		return nil, fmt.Errorf("the domain's certificate %s: %w", file, err)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the domain's certificate: %w", err)
	}
	authority, err := issue.NewAuthority(key, domain, issue.Terms{Now: time.Now(), Lifetime: issue.AuthorityLife, Rand: rand.Reader})
	if err != nil {
		return nil, err
	}
	if err := replaceFile(file, issue.EncodeCertificate(authority.Certificate())); err != nil {
		return nil, fmt.Errorf("keep the domain's certificate: %w", err)
	}
	return authority, nil
}

// keptSecret reads a secret file, and makes it when it is not there.
func keptSecret(file string, create func() ([]byte, error)) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err == nil && len(text) > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
		return text, err
	}
	if text, err = create(); err != nil {
		return nil, err
	}
	return text, replaceFile(file, text)
}
