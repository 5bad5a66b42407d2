-- What the scripts of the nodes share. The hash of the nodes has a field for each, named
-- node: and the node, and generation, schema and swept.

-- Opens the hash: creates it if there is none. Returns the schema if it is another one.
local function open(key, generation, schema, t)
  local s = redis.pcall('HGET', key, 'schema')
  if failed(s) then
    redis.call('DEL', key)
    s = false
  end
  if not s then
    redis.call('HSET', key, 'schema', schema, 'generation', generation, 'swept', int(t))
  elseif s ~= schema then
    return s
  end
end

local RECORD = '^count=(%d+) buried=(%d+) left=(%d) dead=(%d) heard=(%d+)$'

-- The node under a field, nil if there is none.
local function node(key, field)
  local count, buried, left, dead, heard = string.match(redis.call('HGET', key, field) or '', RECORD)
  if not count then return nil end
  return {count = tonumber(count), buried = tonumber(buried), left = left, dead = dead, heard = tonumber(heard)}
end

local function save(key, field, n)
  redis.call('HSET', key, field, 'count=' .. int(n.count) .. ' buried=' .. int(n.buried) ..
    ' left=' .. n.left .. ' dead=' .. n.dead .. ' heard=' .. int(n.heard))
end

-- The hash stays for as long as a node or a call that it has put.
local function stay(key, kept)
  kept = math.max(SILENT, kept)
  if redis.call('PTTL', key) < kept then redis.call('PEXPIRE', key, int(kept)) end
end

