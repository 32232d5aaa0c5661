package handshake

import "github.com/entente-mesh/entente/api/proto/v1alpha1"

// Refused is the status code of every failed handshake. The original sends no other; a source only asks whether the code is zero.
const Refused = 500

// Grant is the reply that hands out token. Its status is empty but there, as HandShakeResponse demands.
func Grant(token *Token) *HandShakeResponse {
	return &HandShakeResponse{Status: &v1alpha1.Status{}, Token: token}
}

// Refuse is the reply to a handshake that failed. It reaches the partner with HTTP status 200, so message must name no internals.
func Refuse(message string) *HandShakeResponse {
	return &HandShakeResponse{Status: &v1alpha1.Status{Code: Refused, Message: message}}
}
