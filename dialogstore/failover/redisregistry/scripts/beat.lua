-- KEYS: the hash of the nodes
-- ARGV: field of the node, a generation, the schema, for how long its calls are kept, time between sweeps
local key, field, t = KEYS[1], ARGV[1], now()
local other = open(key, ARGV[2], ARGV[3], t)
if other then return {'schema', other} end

local n = node(key, field) or {count = 0, buried = 0}
n.count, n.left, n.dead, n.heard = n.count + 1, 0, 0, t
save(key, field, n)
stay(key, tonumber(ARGV[4]))

local swept, sweep = number(redis.call('HGET', key, 'swept')), 0
if not swept or t < swept or t - swept >= tonumber(ARGV[5]) then
  redis.call('HSET', key, 'swept', int(t))
  sweep = 1
end
return {'ok', t, sweep, redis.call('HGETALL', key)}
