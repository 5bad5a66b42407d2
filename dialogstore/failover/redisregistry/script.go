package redisregistry

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var files embed.FS

// script is a script of scripts/.
type script struct{ text, sha string }

func newScript(names ...string) *script {
	var text strings.Builder
	for _, name := range names {
		part, err := files.ReadFile("scripts/" + name + ".lua")
		if err != nil {
			panic(err) // cannot fail: the files are embedded
		}
		text.Write(part)
	}
	return &script{text.String(), redis.NewScript(text.String()).Hash()}
}

var (
	putScript    = newScript("common", "put")
	dropScript   = newScript("common", "drop")
	claimScript  = newScript("common", "claim")
	readScript   = newScript("common", "read")
	ownerScript  = newScript("common", "owner")
	ownedScript  = newScript("common", "owned")
	beatScript   = newScript("common", "nodes", "beat")
	leaveScript  = newScript("common", "nodes", "leave")
	buryScript   = newScript("common", "nodes", "bury")
	stayScript   = newScript("common", "nodes", "stay")
	forgetScript = newScript("forget")
)

// command is a script to run. Its keys are in one slot.
type command struct {
	*script
	keys []string
	args []any
}

// batchSize bounds the commands of a pipeline, which limits what is sent at once to about a
// megabyte.
const batchSize = 500

// run runs commands in order, and returns their replies. Scripts that only read are run on
// the primary too, since a replica may be behind.
func (r *Registry) run(ctx context.Context, commands []command) ([]reply, error) {
	replies := make([]reply, len(commands))
	for at := 0; at < len(commands); at += batchSize {
		end := min(len(commands), at+batchSize)
		if err := r.runBatch(ctx, commands[at:end], replies[at:end]); err != nil {
			return nil, fmt.Errorf("redisregistry: %w", err)
		}
	}
	return replies, nil
}

func (r *Registry) runBatch(ctx context.Context, commands []command, replies []reply) error {
	all := make([]int, len(commands))
	for i := range all {
		all[i] = i
	}
	missing, err := r.pipeline(ctx, commands, all, replies, redis.Pipeliner.EvalSha, (*script).hash)
	if err != nil || len(missing) == 0 {
		return err
	}
	// A server that was restarted or has just become the primary does not have the
	// scripts. EVAL loads them.
	missing, err = r.pipeline(ctx, commands, missing, replies, redis.Pipeliner.Eval, (*script).source)
	if err == nil && len(missing) > 0 {
		err = errors.New("NOSCRIPT in reply to EVAL")
	}
	return err
}

func (s *script) hash() string   { return s.sha }
func (s *script) source() string { return s.text }

// pipeline runs some of the commands, and returns those whose script is missing.
func (r *Registry) pipeline(ctx context.Context, commands []command, which []int, replies []reply,
	eval func(redis.Pipeliner, context.Context, string, []string, ...any) *redis.Cmd, body func(*script) string) (missing []int, err error) {
	cmds := make([]*redis.Cmd, len(which))
	_, err = r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, n := range which {
			c := &commands[n]
			cmds[i] = eval(pipe, ctx, body(c.script), c.keys, c.args...)
		}
		return nil
	})
	for i, n := range which {
		value, failed := cmds[i].Result()
		switch {
		case failed == nil && err != nil && value == nil:
			return nil, err // it was not even sent
		case failed == nil:
			replies[n], _ = value.([]any)
		case redis.HasErrorPrefix(failed, "NOSCRIPT"):
			missing = append(missing, n)
		default:
			return nil, failed
		}
	}
	return missing, nil
}

// reply is what a script returned: an array.
type reply []any

func (r reply) text(i int) string {
	if i < len(r) {
		s, _ := r[i].(string)
		return s
	}
	return ""
}

func (r reply) number(i int) int64 {
	if i < len(r) {
		n, _ := r[i].(int64)
		return n
	}
	return 0
}

func (r reply) list(i int) reply {
	if i < len(r) {
		l, _ := r[i].([]any)
		return l
	}
	return nil
}
