//go:build tools

// Package tools pins Toxiproxy's server: go.sum beside this file holds the checksum of every module it is built from.
package tools

import _ "github.com/Shopify/toxiproxy/v2/cmd/server"
