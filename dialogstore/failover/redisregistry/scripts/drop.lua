-- KEYS: the call
-- ARGV: writer, epoch, id, prefix of the indexes
local key, me, epoch = KEYS[1], ARGV[1], tonumber(ARGV[2])
local c = load(key)
if fenced(c, me, epoch) and not (c.owner == '' and c.epoch == epoch) then return refusal(c) end

if c and c.owner ~= '' then unindex(ARGV[4] .. c.owner, member(c.epoch, ARGV[3])) end
redis.call('DEL', key) -- first: it works without memory
redis.call('HSET', key, 'owner', '', 'epoch', int(epoch))
redis.call('PEXPIRE', key, DROPPED)
return {}
