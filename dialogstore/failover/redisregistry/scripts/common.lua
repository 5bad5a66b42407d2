-- What all scripts share. Times are milliseconds by the clock of Redis.

local EXPIRED, UNTIMED = 3600000, 86400000 -- failover.KeepExpired, failover.KeepUntimed
local DROPPED, SILENT = 120000, 3600000    -- failover.KeepDropped, failover.KeepSilent
local NEVER = 1e15                         -- the score of a call without a timer is this and when it goes

local function now()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

local function int(n) return string.format('%.0f', n) end

-- A number that is no number was not written by a script.
local function number(s)
  local n = tonumber(s or nil)
  if n and n == math.floor(n) and n >= 0 and n < 2 ^ 53 then return n end
end

local function failed(reply) return type(reply) == 'table' and reply.err end

-- The call under key, nil if there is none. Its owner is empty if it has ended.
local function load(key)
  local c = redis.pcall('HMGET', key, 'owner', 'epoch', 'version', 'since', 'deadline')
  if failed(c) then -- of another type: not ours
    redis.call('DEL', key)
    return nil
  end
  local epoch = number(c[2])
  if not epoch then return nil end
  return {owner = c[1] or '', epoch = epoch, version = number(c[3]) or 0, since = number(c[4]), deadline = number(c[5])}
end

local function fenced(c, me, epoch)
  return c and (epoch < c.epoch or epoch == c.epoch and me ~= c.owner)
end

local function refusal(c) return {'fenced', c.owner, c.epoch} end

-- Indexes list the calls of an owner by deadline, as epoch/id.
local function member(epoch, id) return int(epoch) .. '/' .. id end

local function index(owned, score, m)
  if failed(redis.pcall('ZADD', owned, int(score), m)) then
    redis.call('DEL', owned)
    redis.call('ZADD', owned, int(score), m)
  end
end

local function unindex(owned, m) redis.pcall('ZREM', owned, m) end

-- Keeps a call, and its place in an index, for as long as the contract says. Without a
-- deadline that is from now on.
local function keep(key, owned, m, deadline, t)
  local score, till
  if deadline then
    score, till = deadline, deadline + EXPIRED
  else
    score, till = NEVER + t + UNTIMED, t + UNTIMED
  end
  if till <= t then
    redis.call('DEL', key)
    unindex(owned, m)
    return
  end
  index(owned, score, m)
  redis.call('PEXPIREAT', key, int(till))
  if redis.call('PTTL', owned) < till - t then redis.call('PEXPIREAT', owned, int(till)) end
end

