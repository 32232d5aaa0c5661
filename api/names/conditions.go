package names

// Conditions of Entente alone.
const (
	// ConditionLegacyHandshake is True on a route whose partner does not sign its handshakes.
	ConditionLegacyHandshake = "LegacyHandshake"
)
