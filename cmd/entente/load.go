package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/internal/config"
)

// maxConfig bounds what is read of a configuration file; config.Parse refuses far less.
const maxConfig = 8 << 20

// nodeFlags say which node a command is about.
type nodeFlags struct {
	config string
	dir    string
}

func (f *nodeFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration file (default $ENTENTE_CONFIG, else ./kuscia.yaml, else "+legacyHome+"/etc/conf/kuscia.yaml)")
	cmd.Flags().StringVar(&f.dir, "home", "", "data folder (default $ENTENTE_HOME, else entente.home of the file, else a folder of the system's for the domain)")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // the flag exists
	_ = cmd.MarkFlagDirname("home")                   // the flag exists
}

// configFile finds the configuration file.
func (f *nodeFlags) configFile() (string, error) {
	if f.config != "" {
		return f.config, nil
	}
	if env := os.Getenv("ENTENTE_CONFIG"); env != "" {
		return env, nil
	}
	for _, candidate := range []string{"kuscia.yaml", filepath.Join(legacyHome, "etc", "conf", "kuscia.yaml")} {
		if _, err := os.Stat(candidate); err == nil {
			return candidate, nil
		}
	}
	return "", errors.New("no configuration file: there is no kuscia.yaml in this folder; give one with -c, or write one with `entente init`")
}

// load reads the configuration and finds the data folder.
func (f *nodeFlags) load() (*config.Config, home, error) {
	name, err := f.configFile()
	if err != nil {
		return nil, home{}, err
	}
	text, err := readBounded(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, home{}, fmt.Errorf("configuration file %s does not exist; write one with `entente init`", name)
	}
	if err != nil {
		return nil, home{}, fmt.Errorf("read the configuration file: %w", err)
	}
	cfg, err := config.Parse(name, text)
	if err != nil {
		return nil, home{}, err
	}
	if cfg.DomainKeyData != "" {
		if _, err := keys.ParsePrivate(cfg.DomainKeyData); err != nil {
			return nil, home{}, badKey(cfg, err)
		}
	}
	h, err := findHome(f.dir, besideFile(name, cfg.Entente.Home), cfg.DomainID)
	return cfg, h, err
}

// badKey names the place of a domain key that cannot be used.
func badKey(cfg *config.Config, err error) error {
	if bad := new(keys.Error); errors.As(err, &bad) {
		return cfg.Problem("domainKeyData", bad.Reason, bad.Remedy)
	}
	return cfg.Problem("domainKeyData", err.Error(), "")
}

// home finds the data folder alone: a folder that was given needs no configuration.
func (f *nodeFlags) home() (home, error) {
	if f.dir != "" || f.config == "" && os.Getenv("ENTENTE_HOME") != "" {
		return findHome(f.dir, "", "")
	}
	_, h, err := f.load()
	return h, err
}

// besideFile makes a relative path of the configuration mean what it says wherever the command is called from.
func besideFile(file, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxConfig))
}
