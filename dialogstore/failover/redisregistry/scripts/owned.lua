-- Removes from an index what has gone, and returns the number of the rest and the first.
-- KEYS: the index
-- ARGV: how many of the first, -1 for all
local owned, count, t = KEYS[1], tonumber(ARGV[1]), now()
if failed(redis.pcall('ZREMRANGEBYSCORE', owned, '-inf', int(t - EXPIRED))) then redis.call('DEL', owned) end
redis.call('ZREMRANGEBYSCORE', owned, int(NEVER), int(NEVER + t))
local first = {}
if count ~= 0 then first = redis.call('ZRANGE', owned, 0, int(count < 0 and -1 or count - 1), 'WITHSCORES') end
return {t, redis.call('ZCARD', owned), first}
