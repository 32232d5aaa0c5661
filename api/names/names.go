// Package names is every word that Entente shares with the outside: labels, annotations, headers, environment and template variables,
// ports, hosts, object names, and the rules by which such names are built and judged. It promises that a word never changes by accident:
// each constant is pinned by testdata/names.txt.
//
// Words under kuscia.secretflow/ are the original's, historical misspellings included. Words under entente.dev/ are ours. The values of
// enumerated fields of the custom resources live in api/v1alpha1.
package names

const (
	// Group is the API group of all custom resources.
	Group = "kuscia.secretflow"
	// Prefix begins the original's labels and annotations.
	Prefix = "kuscia.secretflow/"
	// OwnPrefix begins the labels and annotations that only Entente writes and reads.
	OwnPrefix = "entente.dev/"

	// True is the value of labels and annotations that say yes.
	True = "true"
	// False is the value of labels and annotations that say no.
	False = "false"
)
