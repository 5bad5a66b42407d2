-- KEYS: the call
local c = load(KEYS[1])
if not c or c.owner == '' then return {} end
local state = redis.call('HMGET', KEYS[1], 'hot', 'cold')
local t = now()
return {c.epoch, t - (c.since or t), state[1] or '', state[2] or ''}
