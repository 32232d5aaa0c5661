package main

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"
)

// A subject is a server whose figures are taken: ours, a peer, or the bare transport. It runs in a process of its own.
type subject interface {
	// fill gives it as many resources, before anyone connects. Their content is that of change 0, save the first's, which is that of newest.
	fill(resources, newest int) error
	// serve serves until ctx ends.
	serve(ctx context.Context, on net.Listener, identity *identity) error
	// change gives the first resource another content and returns what waits until as many streams have confirmed it.
	change(number, streams int) (wait func(context.Context) error, err error)
}

// subjects are all that can be measured, by their key.
func subjects() map[string]func() subject {
	return map[string]func() subject{
		keyOurs:     func() subject { return &entente{} },
		keySnapshot: func() subject { return newPeer(newSnapshot()) },
		keyLinear:   func() subject { return newPeer(newLinear()) },
		keyMux:      func() subject { return newPeer(newMux()) },
		keyBare:     func() subject { return newBare(tuned()) },
		keyDefaults: func() subject { return newBare(nil) },
	}
}

// The systems' keys.
const (
	keyOurs     = "entente"
	keySnapshot = "snapshot"
	keyLinear   = "linear"
	keyMux      = "mux"
	keyBare     = "bare"
	keyDefaults = "bare-defaults"
)

// credentialsOf are the transport of a peer: what ours proves with a certificate, it proves too.
func credentialsOf(id *identity) (credentials.TransportCredentials, error) {
	if id == nil {
		return nil, nil
	}
	config, err := id.server()
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(config), nil
}
