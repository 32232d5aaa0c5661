// Package fleet tells the stories of `entente gateway`: one process that serves the Envoys of many domains.
package fleet
