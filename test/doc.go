// Package test tells the stories of the whole product, through the built binary and the door that a user has.
package test
