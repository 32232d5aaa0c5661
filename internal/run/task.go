// Package run starts the long-lived parts of a process in the order of their readiness and stops them in the opposite one.
package run

import "context"

// A Task is one long-lived part of a process.
type Task interface {
	// Run works until ctx ends or the part cannot go on. It returns nil after an orderly stop on ctx, else the reason.
	// It is called once.
	Run(ctx context.Context) error
	// Ready is closed once, when the part serves; it stays open when Run fails first.
	Ready() <-chan struct{}
	// String names the part as a user would, such as "API server".
	String() string
}
