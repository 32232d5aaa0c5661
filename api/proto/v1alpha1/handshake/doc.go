// Package handshake holds what two gateways say to each other about tokens, and what a lite says to its master when it registers. It
// promises the JSON that gateways of the original send and accept.
//
// All of it is encoding/json over these structs, never protobuf and never protojson: snake_case names in the order of the field numbers,
// zero values left out, 64-bit integers as numbers. A reader ignores members that it does not know, which leaves room for stronger
// variants of the same messages. The strings of the exchange (types, paths, headers, hosts) are constants of api/names.
package handshake
