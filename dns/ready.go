package dns

// Ready says whether a mesh has been seen, for CoreDNS's plugin ready. It stays true while the API server is away: the answers stay.
func (h *Handler) Ready() bool {
	select {
	case <-h.synced:
		return true
	default:
		return false
	}
}

// Synced is closed when the first mesh has been seen.
func (h *Handler) Synced() <-chan struct{} { return h.synced }
