// What Go's net/http reads of bytes: one stream a line in base64 on stdin; a JSON list of requests a line on stdout.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
)

type one struct {
	Method  string     `json:"method,omitempty"`
	Target  string     `json:"target,omitempty"`
	Headers [][]string `json:"headers"`
	Body    string     `json:"body"`
	Error   string     `json:"error,omitempty"`
}

func read(data []byte) []one {
	seen, reader := []one{}, bufio.NewReaderSize(bytes.NewReader(data), 1<<17)
	for {
		if _, err := reader.Peek(1); err == io.EOF {
			return seen
		}
		request, err := http.ReadRequest(reader)
		if err != nil {
			return append(seen, one{Error: err.Error()})
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return append(seen, one{Error: err.Error()})
		}
		headers := [][]string{{"host", request.Host}}
		for name, values := range request.Header {
			for _, value := range values {
				runes := make([]rune, len(value)) // as Latin-1, a rune a byte
				for at := 0; at < len(value); at++ {
					runes[at] = rune(value[at])
				}
				headers = append(headers, []string{strings.ToLower(name), string(runes)})
			}
		}
		seen = append(seen, one{Method: request.Method, Target: request.RequestURI, Headers: headers,
			Body: base64.StdEncoding.EncodeToString(body)})
	}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<26)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		data, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			panic(err)
		}
		if err := out.Encode(read(data)); err != nil {
			panic(err)
		}
	}
}
