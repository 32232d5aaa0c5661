// Package oracle asks a real Envoy, after each of many random changes of a domain, whether it has exactly what the mesh means. The tests are its
// only content.
package oracle
