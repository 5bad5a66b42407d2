-- KEYS: the hash of the nodes
-- ARGV: field of the node, a generation, the schema, for how long its calls are kept
local key, field, t = KEYS[1], ARGV[1], now()
local other = open(key, ARGV[2], ARGV[3], t)
if other then return {'schema', other} end

local n = node(key, field) or {count = 0, buried = 0, dead = 0}
n.left, n.heard = 1, t
save(key, field, n)
stay(key, tonumber(ARGV[4]))
return {'ok'}
