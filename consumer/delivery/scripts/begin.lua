-- Issues the fence token together with the ownership check. ARGV: group, consumer, id -> {token, deliveries} or nil when not (any more) ours
local pending = owned(ARGV[3], ARGV[2])
if not pending then return nil end
return {redis.call('INCR', KEYS[6]), pending[4]}
