package timerpage_test

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/emiago/sipgo"

	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/timerpage"
)

// The page below a path of the application's own server, for browsers on this machine.
func ExampleNew() {
	ua, _ := sipgo.NewUA()
	defer ua.Close()
	timers, err := middleware.New(ua)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer timers.Close()

	mux := http.NewServeMux()
	mux.Handle("/timers/", timerpage.New(timers))

	r := httptest.NewRequest(http.MethodGet, "http://localhost/timers/calls.json", nil)
	r.RemoteAddr = "127.0.0.1:50000"
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	// Output: 200 application/json
}

// Operators see everything, everybody else in the company no numbers.
func ExampleWithAccess() {
	operator := func(r *http.Request) bool {
		user, password, ok := r.BasicAuth()
		return ok && user == "operator" && subtle.ConstantTimeCompare([]byte(password), []byte("secret")) == 1
	}
	option := timerpage.WithAccess(func(r *http.Request) timerpage.Access {
		if operator(r) {
			return timerpage.Everything
		}
		return timerpage.WithoutNumbers
	})
	_ = option // give it to New
}
