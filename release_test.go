package sessiontimer_test

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// released are the modules that are released together, and where they are.
var released = map[string]string{
	ours:                            ".",
	ours + "/middleware/diagotimer": "middleware/diagotimer",
	ours + "/middleware/promtimer":  "middleware/promtimer",
	ours + "/dialogstore/failover/redisregistry": "dialogstore/failover/redisregistry",
	ours + "/dialogstore/failover/boltregistry":  "dialogstore/failover/boltregistry",
}

var goGet = regexp.MustCompile(`(?m)^go (get \S+)`)

// TestREADMEGoGet follows the README in a new module, as after a release: the
// commands that fetch the library, and then each program as it stands there. The other
// modules are fetched as their pages say.
func TestREADMEGoGet(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks every module that diago needs")
	}
	env := afterRelease(t)
	gets := getsOf(t, "README.md")
	if len(gets) != 2 {
		t.Fatalf("README has %d go get, want one for sipgo and one for diago", len(gets))
	}
	programs := blocksOf(t, "README.md", goBlock)[:2]
	fetched := map[string]bool{ours: true, ours + "/middleware/diagotimer": true}
	for i, stack := range []string{"sipgo", "diago"} {
		t.Run(stack, func(t *testing.T) { fetch(t, env, gets[i], programs[i]) })
	}
	for _, get := range append(getsOf(t, "docs/failover.md"), getsOf(t, "docs/metrics.md")...) {
		module := strings.TrimPrefix(get, "get ")
		fetched[module] = true
		t.Run(filepath.Base(module), func(t *testing.T) {
			fetch(t, env, get, fmt.Sprintf("package main\n\nimport _ %q\n\nfunc main() {}\n", module))
		})
	}
	for module := range released {
		if !fetched[module] {
			t.Errorf("no page says how to get %s", module)
		}
	}
}

// afterRelease returns an environment in which all modules are released.
func afterRelease(t *testing.T) (env []string) {
	t.Helper()
	proxy := t.TempDir()
	for module, dir := range released {
		publish(t, proxy, module, dir)
	}
	cached, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "GOWORK=off", "GOSUMDB=off", "GOFLAGS=-modcacherw", "GOMODCACHE="+t.TempDir(),
		"GOPROXY=file://"+proxy+",file://"+filepath.Join(strings.TrimSpace(string(cached)), "cache", "download"))
}

// getsOf returns the commands of a page that fetch modules.
func getsOf(t *testing.T, page string) (gets []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range goGet.FindAllStringSubmatch(string(text), -1) {
		gets = append(gets, m[1])
	}
	return gets
}

// fetch runs a go get in a new module that has a program, and finds all that it needs.
func fetch(t *testing.T, env []string, get, program string) {
	t.Helper()
	app := t.TempDir()
	if err := os.WriteFile(filepath.Join(app, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"mod init example.org/app", get, "list -deps ."} {
		cmd := exec.Command("go", strings.Fields(args)...)
		cmd.Dir, cmd.Env = app, env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", args, err, out)
		}
	}
}

// publish puts a module into a file system that serves as a module proxy, as v0.1.0.
func publish(t *testing.T, proxy, module, dir string) {
	t.Helper()
	download := exec.Command("go", "mod", "download") // what it needs by itself may be older than in the workspace
	download.Dir, download.Env = dir, append(os.Environ(), "GOWORK=off")
	if out, err := download.CombinedOutput(); err != nil {
		t.Fatalf("go mod download in %s: %v\n%s", dir, err, out)
	}
	versions := filepath.Join(proxy, module, "@v")
	if err := os.MkdirAll(versions, 0o700); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"list": "v0.1.0\n", "v0.1.0.info": `{"Version":"v0.1.0"}`, "v0.1.0.mod": string(mod)} {
		if err := os.WriteFile(filepath.Join(versions, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(filepath.Join(versions, "v0.1.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z := zip.NewWriter(file)
	if err := pack(z, dir, fmt.Sprintf("%s@v0.1.0/", module)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

// pack writes the files of a module, without the modules below it.
func pack(z *zip.Writer, dir, prefix string) error {
	root := os.DirFS(dir)
	return fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || path == ".":
			return err
		case d.IsDir():
			_, other := fs.Stat(root, path+"/go.mod")
			if other == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		w, err := z.Create(prefix + path)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
}
