// Package doors proves that a gateway whose authentication does not work is noticed and stays closed, on each Envoy that Entente accepts. The
// tests are its only content.
package doors
