package config

import "strings"

// maxNear bounds the words that are compared; no key is longer, and a long word is no slip of the hand.
const maxNear = 64

// nearest is the candidate that a user most likely meant by word, or nothing when none is near: at most one edit for every three letters.
// Case counts for nothing, since domainId for domainID is the commonest slip. Of equals the first wins.
func nearest(word string, candidates []string) string {
	if len(word) > maxNear {
		return ""
	}
	best, least := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := edits(strings.ToLower(word), strings.ToLower(c)); d < least && d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// edits counts the insertions, deletions, substitutions and swaps of neighbors that turn a into b (the restricted Damerau-Levenshtein distance).
func edits(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
