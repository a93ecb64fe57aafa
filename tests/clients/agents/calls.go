// Call with Go's own net/http, through the proxy of the environment: a stream read as it comes, a body without a length,
// an answer left in the middle, a refusal. Arguments: a prefix for the stream's name. One line for each.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

const root = "https://download.test"

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return value
}

func read(answer *http.Response) string {
	defer answer.Body.Close()
	return string(must(io.ReadAll(answer.Body)))
}

func main() {
	stream := os.Args[1]
	events := must(http.Get(root + "/events?stream=" + stream))
	lines, heard := bufio.NewScanner(events.Body), 0
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") {
			heard++
			read(must(http.Get(root + "/ack/" + stream)))
		}
	}
	fmt.Println("heard", heard)

	sent := bytes.Repeat([]byte("go"), 2_000_000)
	from, to := io.Pipe()
	go func() {
		to.Write(sent)
		to.Close()
	}()
	digest := read(must(http.Post(root+"/digest", "application/octet-stream", from)))
	fmt.Println("whole", digest == fmt.Sprintf("%x", sha256.Sum256(sent)))

	endless := must(http.Get(root + "/endless?stream=" + stream + "-left"))
	must(endless.Body.Read(make([]byte, 100)))
	endless.Body.Close()
	fmt.Println("freed", must(http.Get(root+"/freed?stream="+stream+"-left")).StatusCode)

	request := must(http.NewRequest("DELETE", "https://api.github.com/repos/acme/site", nil))
	refused := must(http.DefaultClient.Do(request))
	var said struct{ Message string }
	must(0, json.Unmarshal([]byte(read(refused)), &said))
	fmt.Println(refused.StatusCode, said.Message)

	for _, host := range []string{"modern.test", "modern.test"} {
		answer := must(http.Get("https://" + host + "/plain"))
		read(answer)
		fmt.Println(answer.Proto, answer.StatusCode)
	}
}
