-- KEYS: the hash of the nodes
-- ARGV: field of a node, its record as it was seen
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return {}
