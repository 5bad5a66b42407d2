-- KEYS: the call, the index of its writer
-- ARGV: writer, epoch, version, id, interval or -1, age, hot, cold, prefix of the indexes
local key, owned, t = KEYS[1], KEYS[2], now()
local me, epoch, version, id = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local c = load(key)
if fenced(c, me, epoch) then return refusal(c) end

if c and c.epoch == epoch and version <= c.version then
  keep(key, owned, member(epoch, id), c.deadline, t)
  return {}
end

local since, interval, deadline = math.max(0, t - tonumber(ARGV[6])), tonumber(ARGV[5]), nil
if interval >= 0 then deadline = since + interval end
redis.call('HSET', key, 'owner', me, 'epoch', int(epoch), 'version', int(version),
  'since', int(since), 'deadline', deadline and int(deadline) or 'never', 'hot', ARGV[7])
if not c or redis.call('HGET', key, 'cold') ~= ARGV[8] then redis.call('HSET', key, 'cold', ARGV[8]) end
if c and c.epoch ~= epoch and c.owner ~= '' then unindex(ARGV[9] .. c.owner, member(c.epoch, id)) end
keep(key, owned, member(epoch, id), deadline, t)
return {}
