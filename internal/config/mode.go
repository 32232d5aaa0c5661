package config

import (
	"log/slog"
	"strings"
)

// A Mode says what a node is in its network.
type Mode string

// The modes.
const (
	Master   Mode = "master"   // control plane of a centralized network; runs no tasks
	Lite     Mode = "lite"     // runs tasks under a master's control plane
	Autonomy Mode = "autonomy" // both in one, a peer among peers
)

func modeList(modes []Mode) string {
	words := make([]string, len(modes))
	for i, m := range modes {
		words[i] = string(m)
	}
	return strings.Join(words, ", ")
}

// A Protocol says how a door speaks: the external gateway and KusciaAPI.
type Protocol string

// The protocols. The zero Protocol leaves the choice to each door; see [Config].Protocol.
const (
	NoTLS Protocol = "NOTLS" // plain text, and no token at KusciaAPI
	TLS   Protocol = "TLS"   // the server proves itself
	MTLS  Protocol = "MTLS"  // both sides prove themselves
)

// A Runtime says what runs the containers of a pod.
type Runtime string

// The runtimes.
const (
	RunC Runtime = "runc" // containerd
	RunP Runtime = "runp" // processes of this machine, without privileges
	RunK Runtime = "runk" // another Kubernetes cluster
)

// A LogLevel is the least important kind of message that is logged.
type LogLevel string

// The log levels.
const (
	Debug LogLevel = "DEBUG"
	Info  LogLevel = "INFO"
	Warn  LogLevel = "WARN"
	Error LogLevel = "ERROR"
	Fatal LogLevel = "FATAL" // the original's quietest; here the same as ERROR
)

// Slog is the level for log/slog.
func (l LogLevel) Slog() slog.Level {
	switch l {
	case Debug:
		return slog.LevelDebug
	case Warn:
		return slog.LevelWarn
	case Error, Fatal:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// A ClusterKind says which Kubernetes API a control plane stands on.
type ClusterKind string

// The kinds of clusters.
const (
	Embedded   ClusterKind = "embedded"   // API server and store inside this process
	K3s        ClusterKind = "k3s"        // K3s, as a child process or installed
	Kubeconfig ClusterKind = "kubeconfig" // a cluster that exists
)

// A Synchronous says how the embedded store writes.
type Synchronous string

// The ways to write.
const (
	Full   Synchronous = "FULL"   // what was acknowledged survives a power loss
	Normal Synchronous = "NORMAL" // faster; a power loss may take the last commits
)
