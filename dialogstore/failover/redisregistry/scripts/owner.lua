-- KEYS: the call
local c = load(KEYS[1])
if not c then return {} end
return {c.owner, c.epoch}
