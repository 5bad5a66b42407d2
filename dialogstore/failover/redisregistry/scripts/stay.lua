-- KEYS: the hash of the nodes
-- ARGV: for how long the calls of a node are kept
stay(KEYS[1], tonumber(ARGV[1]))
return {}
