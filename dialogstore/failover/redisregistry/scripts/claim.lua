-- KEYS: the call, the index of the claimer, that of the former owner
-- ARGV: claimer, former owner, epoch, id
local key, t = KEYS[1], now()
local me, from, epoch, id = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local c = load(key)
if not c then return {} end

if c.owner == from and c.epoch == epoch then
  redis.call('HSET', key, 'owner', me, 'epoch', int(epoch + 1), 'version', '0')
  unindex(KEYS[3], member(epoch, id))
  keep(key, KEYS[2], member(epoch + 1, id), c.deadline, t)
elseif c.owner ~= me or c.epoch ~= epoch + 1 then -- else it was claimed before
  return refusal(c)
end
local state = redis.call('HMGET', key, 'hot', 'cold')
return {'claimed', t - (c.since or t), state[1] or '', state[2] or ''}
