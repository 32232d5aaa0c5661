// Package serve feeds Envoys over gRPC: each stream gets the newest resources of its own domain in safe order, never delays another stream,
// and what its Envoy confirmed or rejected is passed on.
//
// One Server stands behind one listener. The connection's credential alone decides which domain a stream may see (Authenticator); what the
// node says of itself only chooses a gateway within that domain. What to send next is decided by the rules of xds/cache; this package
// decodes requests within bounds, puts answers together from bytes that were marshaled once for all streams, and keeps time.
package serve
