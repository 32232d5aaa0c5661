package test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/entente-mesh/entente/internal/lab/entente"
	"github.com/entente-mesh/entente/internal/lab/postgres"
)

// The objects can be in PostgreSQL: a node that is killed and started again finds them there, and leaves their backup to the database.
func TestANodeKeepsItsObjectsInPostgreSQL(t *testing.T) {
	t.Parallel()
	config := entente.Config{
		Home: filepath.Join(t.TempDir(), "home"),
		YAML: entente.Autonomy("") + "datastoreEndpoint: " + postgres.URL(postgres.Start(t), "alice") + "\n",
	}
	first := entente.Start(t, config)
	createConfigMap(t, first, "kept")
	first.Kill()
	second := entente.Start(t, config)
	if !hasConfigMap(t, second, "kept") {
		t.Error("the object is gone")
	}
	if files, err := filepath.Glob(filepath.Join(config.Home, "var", "cluster", "store", "*.db")); err != nil || len(files) > 0 {
		t.Errorf("there is a database in the data folder: %v, %v", files, err)
	}
	var said bytes.Buffer
	backup := second.Command(t, "backup", filepath.Join(t.TempDir(), "f"))
	backup.Stderr = &said
	if err := backup.Run(); err == nil || !strings.Contains(said.String(), "PostgreSQL") || strings.Contains(said.String(), postgres.Password) {
		t.Errorf("backup: %v, want a refusal that names PostgreSQL and no password:\n%s", err, said.String())
	}
	if err := second.Stop(t); err != nil {
		t.Errorf("it ended with %v:\n%s", err, second.Stderr())
	}
}
