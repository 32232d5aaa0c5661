package translate

import "net/netip"

// A Gateway is what the listeners of one Envoy depend on beside the mesh's settings.
type Gateway struct {
	Name     string           // of the Gateway object; stands in replies as the instance
	Version  string           // of Entente; stands in replies
	External netip.AddrPort   // where partners come in
	Internal []netip.AddrPort // where pods come in; several when the node has several addresses
	// Control and Proof are unix sockets in a private folder; empty means that the listener is left out.
	Control, Proof string
	// Mark stands in the replies of Proof, so that whoever asks there knows which Envoy answers; empty leaves it out.
	Mark string
	// Logs is the folder of access logs; empty means none.
	Logs string
	// Closed leaves out External, Internal and Control: before the doors are proved to be closed.
	Closed bool
	// Connections bounds the external and internal connections of this Envoy; 0 leaves it to the overload manager.
	Connections uint32
}
