//go:build tools

// Package tools pins the S3 server: go.sum beside this file holds the checksum of every module it is built from.
package tools

import _ "github.com/versity/versitygw/cmd/versitygw"
