-- KEYS: the hash of the nodes
-- ARGV: field of the node, its count as it was seen, a generation, the schema
local key, field = KEYS[1], ARGV[1]
local other = open(key, ARGV[3], ARGV[4], now())
if other then return {'schema', other} end

local n = node(key, field)
if not n or n.count ~= tonumber(ARGV[2]) then return {'ok', 0} end
if n.dead == '0' then
  n.dead, n.buried = 1, n.buried + 1
  save(key, field, n)
end
return {'ok', 1}
