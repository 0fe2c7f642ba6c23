-- Takes over entries whose holder has let its lease run out. ARGV: group, consumer, lease ms, limit
-- -> {id, fields, previous holder} a claimed entry. XPENDING + XCLAIM rather than XAUTOCLAIM: the same on 6.2 and later, ghosts included.
local taken = {}
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], GROUP, 'IDLE', ARGV[3], '-', '+', 100)) do
  if #taken >= tonumber(ARGV[4]) then break end
  local id = pending[1]
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if not entry then
    redis.call('XACK', KEYS[1], GROUP, id)
  elseif #redis.call('XCLAIM', KEYS[1], GROUP, ARGV[2], ARGV[3], id) > 0 then
    taken[#taken + 1] = {id, entry[2], pending[2]}
  end
end
return taken
