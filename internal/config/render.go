package config

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// An Init is what a new configuration file says. Empty fields are left out of the file.
type Init struct {
	Mode                  Mode
	DomainID              string
	DomainKeyData         string // base64 of PEM
	LogLevel              LogLevel
	Protocol              Protocol
	Runtime               Runtime // left out in mode master, which runs no pods
	LiteDeployToken       string  // mode lite
	MasterEndpoint        string  // mode lite
	DatastoreEndpoint     string  // modes master, autonomy
	EnableWorkloadApprove bool    // modes master, autonomy
	// HighPorts puts the gateway and the name server on loopback ports that need no privilege, for a node that an ordinary user runs.
	HighPorts bool
}

// Render writes a new configuration file with a comment for each key. What it returns, [Parse] accepts without a warning; what Parse would
// refuse, and a field that the mode has no use for, is an error that names the key. No error holds a secret.
func Render(in Init) ([]byte, error) {
	if in.Mode == Master {
		in.Runtime = ""
	}
	approve := ""
	if in.EnableWorkloadApprove {
		approve = "true"
	}
	top := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range []struct{ name, value, tag, comment string }{
		{"mode", string(in.Mode), "!!str", "What this node is: master, lite or autonomy."},
		{"domainID", in.DomainID, "!!str", "The party whose node this is."},
		{"domainKeyData", in.DomainKeyData, "!!str", "The party's private key, base64 of PEM. Keep it secret."},
		{"logLevel", string(in.LogLevel), "!!str", "DEBUG, INFO, WARN or ERROR."},
		{"protocol", string(in.Protocol), "!!str", "What the external gateway and KusciaAPI speak: NOTLS, TLS or MTLS."},
		{"liteDeployToken", in.LiteDeployToken, "!!str", "Shown once to the master, at the first registration."},
		{"masterEndpoint", in.MasterEndpoint, "!!str", "The master's gateway."},
		{"runtime", string(in.Runtime), "!!str", "What runs tasks: runc, runp or runk."},
		{"datastoreEndpoint", in.DatastoreEndpoint, "!!str", "The control plane's database; without it SQLite in the data folder."},
		{"enableWorkloadApprove", approve, "!!bool", "Jobs that other parties start wait for approval."},
	} {
		if f.value != "" {
			top.Content = append(top.Content,
				&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.name, HeadComment: f.comment},
				&yaml.Node{Kind: yaml.ScalarNode, Tag: f.tag, Value: f.value})
		}
	}
	if in.Runtime == RunK {
		top.Content = append(top.Content, exampleCapacity()...)
	}
	if in.HighPorts {
		top.Content = append(top.Content, highPorts()...)
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(top), enc.Close()); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	if err := accepted(b.Bytes()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// exampleCapacity is the block that runtime runk cannot do without and that no flag gives.
func exampleCapacity() []*yaml.Node {
	block := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range [][2]string{{"cpu", "4"}, {"memory", "8Gi"}, {"storage", "100Gi"}} {
		block.Content = append(block.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: f[0]}, &yaml.Node{Kind: yaml.ScalarNode, Value: f[1]})
	}
	const comment = "What the cluster of runtime runk offers this node. These are examples: write your own figures."
	return []*yaml.Node{{Kind: yaml.ScalarNode, Value: "capacity", HeadComment: comment}, block}
}

// highPorts is the block for a node that may not open ports below 1024.
func highPorts() []*yaml.Node {
	const comment = "Ports for a node that an ordinary user runs. Remove this block to serve pods at the usual ports, 80 and 53."
	text := func(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }
	block := func(pairs ...*yaml.Node) *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Content: pairs} }
	top := text("entente")
	top.HeadComment = comment
	return []*yaml.Node{top, block(
		text("gateway"), block(text("address"), text("127.0.0.1"), text("internal"), text("127.0.0.1:8080")),
		text("dns"), block(text("listen"), text("127.0.0.1:5353")),
	)}
}

// accepted tells why Parse would refuse the text or warn of it. The text is in no file yet, so lines would name nothing.
func accepted(text []byte) error {
	c, err := Parse("", text)
	var found Problems
	switch {
	case err == nil:
		found = c.Warnings
	case !errors.As(err, &found):
		return err
	}
	if len(found) == 0 {
		return nil
	}
	for i := range found {
		found[i].Line = 0
	}
	return found
}
