package serve_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if task := os.Getenv(crowdEnv); task != "" {
		crowd(task)
		return
	}
	goleak.VerifyTestMain(m)
}
