// Answers /status/NNN with that status, anything else with 200.
// Usage: backend PORT
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
)

func answer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	status := http.StatusOK
	if number, found := strings.CutPrefix(r.URL.Path, "/status/"); found {
		status, _ = strconv.Atoi(number)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "hello from go\n")
}

func main() {
	http.HandleFunc("/", answer)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
