-- Takes work back that is not wanted any more, whoever holds it: its next beat finds it lost. ARGV: group, keys...
-- -> how many were queued, held or due later
local withdrawn = 0
for i = 2, #ARGV do
  local key = ARGV[i]
  local id = redis.call('HGET', KEYS[4], key)
  local known = redis.call('ZREM', KEYS[2], key)
  redis.call('HDEL', KEYS[3], key)
  if id and not stands(id) then
    redis.call('HDEL', KEYS[4], key)
  elseif id then
    redis.call('XACK', KEYS[1], GROUP, id)
    known = known + redis.call('XDEL', KEYS[1], id)
    redis.call('HDEL', KEYS[4], key)
  end
  if known > 0 then withdrawn = withdrawn + 1 end
end
return withdrawn
