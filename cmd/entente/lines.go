package main

import (
	"errors"
	"strings"

	"github.com/entente-mesh/entente/internal/config"
)

// oneLine renders an error for the terminal: one line for each mistake, and no line break inside one.
func oneLine(err error) string {
	var problems config.Problems
	if errors.As(err, &problems) {
		lines := make([]string, len(problems))
		for i, p := range problems {
			lines[i] = p.Error()
		}
		return strings.Join(lines, "\nentente: ")
	}
	if problem := new(config.Problem); errors.As(err, problem) {
		return problem.Error() // whichever part met it, the place in the file says more
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
}
