package graphapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// maxErrorBytes is read of an answer that refuses a request.
const maxErrorBytes = 8 << 10

// Error is what the Graph API says when it refuses a request.
// https://developers.facebook.com/docs/graph-api/guides/error-handling
type Error struct {
	// Code is 0 where the answer is not the Graph API's own.
	Code int `json:"code"`
	// Message is for the app's developers; it may quote the request.
	Message string `json:"message"`
}

// ReadError reads the beginning of an answer. What was read can be read again.
func ReadError(response *http.Response) Error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxErrorBytes))
	_ = response.Body.Close() // it was only read
	response.Body = io.NopCloser(bytes.NewReader(body))
	var said struct {
		Error Error `json:"error"`
	}
	if err != nil || json.Unmarshal(body, &said) != nil {
		return Error{}
	}
	return said.Error
}
