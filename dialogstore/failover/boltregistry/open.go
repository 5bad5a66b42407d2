package boltregistry

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/bounded"
)

// Errors of Open, wrapped with the path and the reason.
var (
	// ErrInUse: another process has the file open.
	ErrInUse = errors.New("in use by another process")
	// ErrDamaged: the file is damaged. It is neither used nor changed. Move it away to
	// start without the calls in it.
	ErrDamaged = errors.New("damaged")
	// ErrForeign: the file is not a registry, or was written by a later version that this
	// one must not read. It is not changed.
	ErrForeign = errors.New("not a file of this registry")
)

// Open opens the file at path, or creates it. It reads the whole file, which takes a few
// seconds for 100 thousand calls, and does not wait for another process that has it open.
// Errors are a *sessiontimer.ConfigError for an empty path, those of the file system, or
// wrap ErrInUse, ErrDamaged or ErrForeign.
func Open(path string) (*Registry, error) {
	if path == "" {
		return nil, &sessiontimer.ConfigError{Option: "Open", Value: `""`, Allowed: "the path of a file"}
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // see contain
	if err := create(path); err != nil {
		return nil, fmt.Errorf("boltregistry: %w", err)
	}
	if err := check(path); err != nil {
		return nil, fmt.Errorf("boltregistry: %s: %w", path, err)
	}
	db, err := open(path, false)
	if err != nil {
		return nil, fmt.Errorf("boltregistry: %s: %w", path, err)
	}
	db.MaxBatchDelay = gather
	removeUnfinished(path)
	return &Registry{db: db, calls: bounded.New(mostCalls, timeout), opened: time.Now()}, nil
}

// unfinished is the suffix of the names of new files until they are complete.
const unfinished = ".new-*"

// create makes a new file if there is none. The file gets its name when it is complete, so
// that a crash leaves no incomplete one.
func create(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+unfinished) // for its owner only
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if err := file.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(file.Name(), 0o600, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Update(initialize), db.Close()); err != nil {
		return err
	}
	err = os.Link(file.Name(), path)
	if _, there := os.Stat(path); err != nil && there == nil {
		return nil // another process was faster
	}
	return errors.Join(err, syncDir(filepath.Dir(path)))
}

// syncDir makes a new name survive a crash of the machine, if directories can be synced.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = dir.Sync()
	return dir.Close()
}

// removeUnfinished removes files whose creation did not finish.
func removeUnfinished(path string) {
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"+unfinished))
	for _, name := range names {
		if ours, _ := filepath.Match(filepath.Base(path)+unfinished, filepath.Base(name)); ours {
			_ = os.Remove(name)
		}
	}
}

func initialize(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketNodes, bucketCalls, bucketOwned, bucketUntil} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	about, err := tx.CreateBucket(bucketAbout)
	if err != nil {
		return err
	}
	return errors.Join(about.Put(keyFormat, []byte(format)), about.Put(keyGeneration, []byte(rand.Text())))
}

// open opens a database. A damaged one may make bbolt panic.
func open(path string, readOnly bool) (db *bbolt.DB, err error) {
	var file *os.File
	defer contain(&err, func() {
		unlock(file)
		_ = file.Close()
	})
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:  time.Nanosecond, // one try
		ReadOnly: readOnly,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			var err error
			file, err = os.OpenFile(name, flag&^os.O_CREATE, perm)
			return file, err
		},
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		err = ErrInUse
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch):
		err = fmt.Errorf("%w: %w", ErrForeign, err)
	case err != nil && !errors.As(err, new(*fs.PathError)) && !errors.As(err, new(syscall.Errno)):
		err = fmt.Errorf("%w: %w", ErrDamaged, err) // not of the file system
	}
	return db, err
}

// contain is deferred. It turns a panic into ErrDamaged, including the panic of an access
// beyond the end of the mapped file.
func contain(err *error, cleanup func()) {
	if v := recover(); v != nil {
		cleanup()
		*err = fmt.Errorf("%w: %v", ErrDamaged, v)
	}
}
